curl http://localhost:8000/serve/api/v2/transcriptions/speech-to-text \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"asset_id": "$ASSET_ID", "language_code": "en", "diarize": true}
END
