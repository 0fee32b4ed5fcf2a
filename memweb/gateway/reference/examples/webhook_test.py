import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
answer = gateway.post("/webhook/test")
print(answer.raise_for_status().json()["data"]["webhook_id"])
