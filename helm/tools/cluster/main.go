// Command cluster is a Kubernetes control plane in one program: `cluster <part> [flags]`, where the part is etcd,
// apiserver, controllers, scheduler or kubectl. Linked together they take one link and 134 MB instead of five links.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// parts are Kubernetes' own programs; etcd is not among them, it reads its arguments without cobra.
var parts = map[string]func() *cobra.Command{
	"apiserver":   func() *cobra.Command { return apiserver.NewAPIServerCommand() },
	"controllers": func() *cobra.Command { return controllers.NewControllerManagerCommand() },
	"scheduler":   func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubectl":     func() *cobra.Command { return cmd.NewDefaultKubectlCommand() },
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "cluster: which part? etcd, apiserver, controllers, scheduler or kubectl")
		os.Exit(2)
	}
	part := os.Args[1]
	os.Args = slices.Delete(os.Args, 1, 2)
	if part == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	command, known := parts[part]
	if !known {
		fmt.Fprintf(os.Stderr, "cluster: there is no part %q\n", part)
		os.Exit(2)
	}
	os.Exit(cli.Run(command()))
}
