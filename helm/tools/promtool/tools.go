//go:build tools

// Package promtool names the program that is built here, where Debian's package of it cannot be had.
package promtool

import _ "github.com/prometheus/prometheus/cmd/promtool"
