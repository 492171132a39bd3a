{{- /* Files from Secrets, the policy and the application: their volumes, and their paths in a container.

A pod's "files" are a list of dicts "name" (the volume's), "secret", "items" (keys and their paths below /run/secrets/NAME). */ -}}

{{- define "roomwire.secretVolumes" -}}
{{- range .files }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: {{ include "roomwire.secretMode" $ }}
    items:
      {{- range $key, $path := .items }}
      - {key: {{ $key }}, path: {{ $path }}}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "roomwire.secretMounts" -}}
{{- range .files }}
- {name: {{ .name }}, mountPath: /run/secrets/{{ .name }}, readOnly: true}
{{- end }}
{{- end -}}

{{- /* The mode of files with secrets: without a known group, every user in the pod may read them. */ -}}
{{- define "roomwire.secretMode" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
{{- dig "fsGroup" 0 (default (dict) $pod.podSecurityContext) | int | eq 0 | ternary "0444" "0440" -}}
{{- end -}}

{{- /* The ConfigMap with the policy; empty if the services' own policy applies. */ -}}
{{- define "roomwire.policyMap" -}}
{{- if .Values.policy.file -}}
{{ include "roomwire.fullname" . }}-policy
{{- else -}}
{{ .Values.policy.existingConfigMap }}
{{- end -}}
{{- end -}}

{{- define "roomwire.policyMount" -}}
{{- if include "roomwire.policyMap" .root }}
- {name: policy, mountPath: /etc/roomwire/policy, readOnly: true}
{{- end }}
{{- end -}}

{{- define "roomwire.policyVolume" -}}
{{- with include "roomwire.policyMap" .root }}
- name: policy
  configMap:
    name: {{ . }}
    items: [{key: policy.toml, path: policy.toml}]
{{- end }}
{{- end -}}

{{- /* The mounts of `gateway.files`: each file is mounted beside the image's own files in that folder. Files that are mounted one by
one do not change until the pod is replaced. */ -}}
{{- define "roomwire.applicationMounts" -}}
{{- range $name, $_ := .Values.gateway.files }}
- {name: application, mountPath: {{ printf "/app/%s" $name | quote }}, subPath: {{ quote $name }}, readOnly: true}
{{- end -}}
{{- end -}}

{{- define "roomwire.applicationVolume" -}}
{{- if .Values.gateway.files -}}
- name: application
  configMap: {name: {{ include "roomwire.name" (dict "root" . "component" "gateway") }}}
{{- end -}}
{{- end -}}

{{- /* A process reads them once, so a change of their content replaces the gateways: an annotation in YAML. */ -}}
{{- define "roomwire.applicationChecksum" -}}
{{- with .Values.gateway.files -}}
checksum/application: {{ toJson . | sha256sum }}
{{- end -}}
{{- end -}}
