{{- /* A container's image and pull policy. Argument: dict "root" $ "part" "gateway", the part of the values with the
image. */ -}}
{{- define "roomwire.image" -}}
{{- $image := (get .root.Values .part).image -}}
{{- $repository := include "roomwire.repository" . -}}
image: {{ if $image.digest }}{{ $repository }}@{{ $image.digest }}{{ else }}{{ $repository }}:{{ default .root.Chart.AppVersion $image.tag }}{{ end }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- end -}}

{{- define "roomwire.repository" -}}
{{- $own := (get .root.Values .part).image.repository -}}
{{- $registry := .root.Values.images.registry -}}
{{- if not (or $own $registry) -}}
{{- fail (printf "%s.image.repository is empty, and so is images.registry: there is no public image of Roomwire. Build and push the images, and name their registry: --set images.registry=REGISTRY/PATH. If the nodes already have the images, use --set images.registry=docker.io/library, or the prefix under which they were loaded. See docs/kubernetes.md, \"Images\"." .part) -}}
{{- end -}}
{{ default (printf "%s/roomwire-%s" (trimSuffix "/" $registry) (lower .part)) $own }}
{{- end -}}
