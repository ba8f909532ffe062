//go:build tools

// Package kubeconform names the program that is built here: it holds custom resources against their schemas.
package kubeconform

import _ "github.com/yannh/kubeconform/cmd/kubeconform"
