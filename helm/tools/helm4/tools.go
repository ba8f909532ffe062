//go:build tools

// Package helm4 names the program that is built here: the chart is installed by Helm 4 too.
package helm4

import _ "helm.sh/helm/v4/cmd/helm"
