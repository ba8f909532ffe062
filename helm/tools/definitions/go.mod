module penstock/tools/definitions

go 1.26.0

// Nothing is built of these: they carry the definitions of custom resources that the chart makes.
require (
	github.com/kedacore/keda/v2 v2.21.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
	k8s.io/autoscaler/vertical-pod-autoscaler v1.8.1
)
