//go:build tools

// Package helm names the programs that are built here: helm itself and the runner of the chart's unit tests.
// They share a module, because the runner is made of helm: together they build in two thirds of the time.
package helm

import (
	_ "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"
	_ "helm.sh/helm/v3/cmd/helm"
)
