import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
answer = gateway.get(f"/{os.environ['ASSET_ID']}/metadata")
[asset] = answer.raise_for_status().json()["data"]["resource"]
print(asset["original_filename"], asset["upload_status"])
