curl http://localhost:8000/v2/transcript \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"audio_url": "$UPLOAD_URL", "speaker_labels": true}
END
