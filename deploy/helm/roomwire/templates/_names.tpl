{{- /* A template that needs an object's name takes a dict "root" $ "component" "gateway", with "name" if it differs from the component. */ -}}

{{- define "roomwire.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- /* The name leaves room for the suffixes of pods, because a node name has at most 63 characters. */ -}}
{{- default $full .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{- define "roomwire.name" -}}
{{ default (printf "%s-%s" (include "roomwire.fullname" .root) .component) .name }}
{{- end -}}

{{- /* Labels that never change. */ -}}
{{- define "roomwire.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "roomwire.labels" -}}
{{ include "roomwire.selector" . }}
app.kubernetes.io/part-of: roomwire
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The beginning of `metadata`. The labels come last, so that a template can append labels or annotations. */ -}}
{{- define "roomwire.metadata" -}}
name: {{ include "roomwire.name" . }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "roomwire.labels" . | nindent 2 }}
{{- end -}}

{{- /* The name of a Job, which cannot be changed once it exists: each revision has its own name and, because
`helm template` always makes revision 1, each content has one too. Argument: the object, and "spec" TEXT. */ -}}
{{- define "roomwire.jobName" -}}
{{ include "roomwire.name" . }}-{{ .root.Release.Revision }}-{{ .spec | sha256sum | trunc 6 }}
{{- end -}}
