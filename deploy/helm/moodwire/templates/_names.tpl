{{/* The release's own name, at most 40 characters so that a stage's name still fits. */}}
{{- define "moodwire.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "moodwire.selector" -}}
app.kubernetes.io/name: moodwire
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "moodwire.labels" -}}
{{ include "moodwire.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "moodwire.image" -}}
{{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
{{- end -}}

{{- define "moodwire.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "moodwire.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* moodwire.live.score: the names that streams/topics.py gives to groups and to topics of moodwire's own. */}}
{{- define "moodwire.own" -}}
{{- $settings := .root.Values.settings -}}
{{- $prefix := "moodwire." -}}
{{- if hasKey $settings "MOODWIRE_PREFIX" -}}{{- $prefix = get $settings "MOODWIRE_PREFIX" -}}{{- end -}}
{{ printf "%s%s.%s" $prefix (default "live" (get $settings "MOODWIRE_NAMESPACE")) .name }}
{{- end -}}

{{/* The same of a topic, or the existing one that MOODWIRE_NEWS_TOPIC and its like name in its place. */}}
{{- define "moodwire.topic" -}}
{{ default (include "moodwire.own" .) (get .root.Values.settings (printf "MOODWIRE_%s_TOPIC" (upper .name))) }}
{{- end -}}
