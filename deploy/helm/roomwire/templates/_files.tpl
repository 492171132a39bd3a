{{- /* Files of Secrets, and of the policy: their volumes, and where a container finds them.

A pod's "files" are a list of dicts "name" (of the volume), "secret", "items" (keys and their paths below /run/secrets/NAME). */ -}}

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

{{- /* The mode of files with secrets: without a group that is known, they are for whoever runs in the pod. */ -}}
{{- define "roomwire.secretMode" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
{{- dig "fsGroup" 0 (default (dict) $pod.podSecurityContext) | int | eq 0 | ternary "0444" "0440" -}}
{{- end -}}

{{- /* The ConfigMap with the policy; empty: the services' own. */ -}}
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
