import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
answer = gateway.get("/webhook/deliveries", params={"limit": 20})
for delivery in answer.raise_for_status().json()["data"]:
    answered = [attempt["status"] for attempt in delivery["attempts"]]
    print(delivery["webhook_id"], delivery["state"], answered)
