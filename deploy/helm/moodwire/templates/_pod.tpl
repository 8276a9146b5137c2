{{/* What every container of moodwire has: its settings, its files, and no rights. */}}
{{- define "moodwire.container" -}}
image: {{ include "moodwire.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
envFrom:
  - configMapRef:
      name: {{ include "moodwire.fullname" . }}-settings
  {{- with .Values.existingSecret }}
  - secretRef:
      name: {{ . }}
  {{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/moodwire
    readOnly: true
  - name: data
    mountPath: /var/lib/moodwire
  - name: tmp
    mountPath: /tmp
  {{- if .Values.modelsClaim }}
  - name: models
    mountPath: /var/lib/moodwire-models
    readOnly: true
  {{- end }}
  {{- if .Values.secretFiles }}
  - name: secret-files
    mountPath: /etc/moodwire-secrets
    readOnly: true
  {{- end }}
{{- end -}}

{{- define "moodwire.pod" -}}
serviceAccountName: {{ include "moodwire.serviceAccount" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
volumes:
  - name: config
    configMap:
      name: {{ include "moodwire.fullname" . }}-config
  # State lives in Kafka's changelogs; what stands here can be lost.
  - name: data
    emptyDir: {}
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  {{- with .Values.modelsClaim }}
  - name: models
    persistentVolumeClaim:
      claimName: {{ . }}
      readOnly: true
  {{- end }}
  {{- with .Values.secretFiles }}
  - name: secret-files
    secret:
      secretName: {{ . }}
  {{- end }}
{{- end -}}
