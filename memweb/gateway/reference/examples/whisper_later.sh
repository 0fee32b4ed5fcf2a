curl http://localhost:8000/serve/api/v2/transcriptions/async-generate-audio \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"asset_id": "$ASSET_ID", "model": "whisper-1"}
END
