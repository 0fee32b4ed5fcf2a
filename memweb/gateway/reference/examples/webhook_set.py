import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
answer = gateway.put("/webhook", json={"url": os.environ["HOOK_URL"]})
print(answer.raise_for_status().json()["data"]["secret"])
