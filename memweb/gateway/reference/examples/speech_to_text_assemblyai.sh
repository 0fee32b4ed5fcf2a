curl http://localhost:8000/serve/api/v2/transcriptions/speech-to-text \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"provider": "assemblyai", "asset_id": "$ASSET_ID", "speaker_labels": true}
END
