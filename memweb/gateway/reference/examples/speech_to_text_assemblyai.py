import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
asked = {
    "provider": "assemblyai",
    "asset_id": os.environ["ASSET_ID"],
    "speaker_labels": True,
}
answer = gateway.post("/transcriptions/speech-to-text", json=asked)
for utterance in answer.raise_for_status().json()["data"]["utterances"]:
    print(f"{utterance['speaker']}: {utterance['text']}")
