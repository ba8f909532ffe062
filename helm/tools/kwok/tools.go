//go:build tools

// Package kwok names the program that is built here: it plays the kubelets of nodes that do not exist.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
