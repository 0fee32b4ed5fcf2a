curl -X PUT "$SIGNED_URL" \
  -H "Content-Type: application/octet-stream" \
  --data-binary @talk.mp3
