{{- /* The URL scheme of a service; argument: .Values.gateway or .Values.auth. */ -}}
{{- define "roomwire.scheme" -}}
{{ ternary "https" "http" (ne .tls.secretName "") }}
{{- end -}}

{{- define "roomwire.portNumber" -}}
{{ ternary 443 80 (ne .tls.secretName "") }}
{{- end -}}

{{- /* The public port of a Service, named after its protocol; argument: as above. */ -}}
{{- define "roomwire.port" -}}
{{- $scheme := include "roomwire.scheme" . -}}
{name: {{ $scheme }}, port: {{ include "roomwire.portNumber" . }}, targetPort: http, appProtocol: {{ $scheme }}}
{{- end -}}

{{- /* The address families of a Service: both, if the cluster has both. */ -}}
{{- define "roomwire.families" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end -}}

{{- /* Annotations that make Traefik use TLS to pods, as YAML; argument: dict "root" $ "values" .Values.gateway. */ -}}
{{- define "roomwire.traefikTls" -}}
{{- if and (eq .root.Values.ingress.preset "traefik") .values.tls.secretName -}}
traefik.ingress.kubernetes.io/service.serversscheme: https
{{- with .root.Values.ingress.serversTransport }}
traefik.ingress.kubernetes.io/service.serverstransport: {{ . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* Annotations that make Traefik route a client to the same gateway, which only polling needs, as YAML. */ -}}
{{- define "roomwire.traefikAffinity" -}}
{{- if and (eq .Values.ingress.preset "traefik") (has "polling" .Values.gateway.transports) -}}
{{- $isSecure := ne .Values.ingress.tls.secretName "" -}}
traefik.ingress.kubernetes.io/service.sticky.cookie: "true"
traefik.ingress.kubernetes.io/service.sticky.cookie.name: roomwire
traefik.ingress.kubernetes.io/service.sticky.cookie.httponly: "true"
traefik.ingress.kubernetes.io/service.sticky.cookie.samesite: {{ $isSecure | ternary "none" "lax" }}
traefik.ingress.kubernetes.io/service.sticky.cookie.secure: {{ $isSecure | quote }}
{{- end -}}
{{- end -}}
