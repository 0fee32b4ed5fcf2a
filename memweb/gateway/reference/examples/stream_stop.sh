curl http://localhost:8000/serve/api/v2/audio-stream/stop \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"task_id": "$TASK_ID"}
END
