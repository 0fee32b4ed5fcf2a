"""The upload page: choosing, asking, and what each file's row says and offers."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.accounts.services import preferences_of
from tests import media_files
from tests.transcripts import making
from transcripts import services, uploads
from transcripts.files.asked import options_of
from transcripts.files.options import ASSEMBLYAI, ELEVENLABS, FEATURES, MODELS, WHISPER, Options
from transcripts.models import Job, Record, Recording, Upload, Version
from transcripts.shown import wording
from transcripts.views import panels

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def page(client: Client) -> str:
    answer = client.get("/upload/")
    assert answer.status_code == 200
    return answer.content.decode()


def words(html: str) -> list[str]:
    """What the rows of the queue say of their state."""
    found = re.findall(r'<div class="side">.*?<span class="num">(.*?)</span>', html.split("<template")[0], re.S)
    return [word.strip() for word in found]


def an_upload(owner: User, name: str = "a.wav", size: int = 1000, **known: Any) -> Upload:
    upload = uploads.begin(owner_id=owner.pk, name=name, size=size)
    Upload.objects.filter(pk=upload.pk).update(**known)
    upload.refresh_from_db()
    return upload


def a_record(owner: User, upload: Upload, status: str, kind: str, /, **job: Any) -> Record:
    record = Record.objects.create(owner=owner, source="file", title="Tape", status=status, started_at=timezone.now(),
                                   duration_ms=1200_000)  # fmt: skip
    Upload.objects.filter(pk=upload.pk).update(record=record, status="taken")
    Job.objects.create(record=record, kind=kind, due_at=timezone.now(), **job)
    return record


def test_limits_and_formats_are_said_before_choosing(as_alice: Client) -> None:
    html = page(as_alice)
    assert "up to 4 GB each" in html
    assert "memweb reads WAV, MP3, M4A" in html
    assert "Transcribe the sample" in html
    assert "Nothing is waiting." in html


def test_a_small_limit_is_said_in_megabytes(as_alice: Client, settings: Any) -> None:
    settings.MAX_UPLOAD_MB = 25
    assert "up to 25 MB each" in page(as_alice)


def test_a_page_without_scripts_uploads_by_its_form(as_alice: Client, tmp_path: Path) -> None:
    files = [SimpleUploadedFile(name, b"x" * 3_000_000) for name in ("one.wav", "two.mp3")]
    assert as_alice.post("/upload/", {"files": files}).status_code == 302
    assert sorted(Record.objects.values_list("title", flat=True)) == ["one", "two"]
    assert {uploads.path_of(one.pk).stat().st_size for one in Upload.objects.all()} == {3_000_000}


def test_a_form_with_too_large_a_file_says_so(as_alice: Client, settings: Any) -> None:
    settings.MAX_UPLOAD_MB = 1
    file = SimpleUploadedFile("one.wav", b"x" * 1_500_000)
    answer = as_alice.post("/upload/", {"files": [file]}, follow=True)
    assert "This file is larger than 1 MB" in answer.content.decode()
    assert not Upload.objects.exists()


def test_the_sample_is_taken_as_if_it_had_been_uploaded(as_alice: Client) -> None:
    for _ in range(2):
        assert as_alice.post("/upload/sample/").status_code == 302
    assert [record.title for record in Record.objects.all()] == ["A Tale of Two Cities"] * 2


STATES: dict[str, tuple[dict[str, Any], str]] = {
    "waiting": ({"status": "finishing", "kind": Job.Kind.PREPARE}, "Queued"),
    "reading": ({"status": "finishing", "kind": Job.Kind.PREPARE, "job": {"status": "running"}}, "Reading the file"),
    "queued": ({"status": "finishing", "kind": Job.Kind.TRANSCRIBE}, "Queued"),
    "handing": ({"status": "finishing", "kind": Job.Kind.TRANSCRIBE, "job": {"status": "running"}}, "Handing over"),
    "transcribing": (
        {"status": "finishing", "kind": Job.Kind.TRANSCRIBE,
         "job": {"status": "running", "asset_id": "re_1", "progress": 41, "begun_at": timezone.now()}},
        "Transcribing 41 %",
    ),
    "failed": (
        {"status": "failed", "kind": Job.Kind.TRANSCRIBE, "job": {"status": "failed", "reason": "No."}},
        "Failed while transcribing",
    ),
    "stopped": (
        {"status": "failed", "kind": Job.Kind.TRANSCRIBE, "job": {"status": "cancelled", "progress": 18}},
        "Stopped at 18 %",
    ),
    "speakers": (
        {"status": "ready", "kind": Job.Kind.SPEAKERS, "job": {"status": "running", "progress": 7}},
        "Telling speakers apart 7 %",
    ),
    "ready": ({"status": "ready", "kind": Job.Kind.TRANSCRIBE, "job": {"status": "done"}}, "Ready"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_a_row_says_how_its_file_stands(as_alice: Client, alice: User, name: str) -> None:
    made, said = STATES[name]
    upload = an_upload(alice, offset=1000)
    record = a_record(alice, upload, made["status"], made["kind"], **made.get("job", {}))
    for address in ("/upload/", f"/upload/{upload.pk}/"):
        html = as_alice.get(address).content.decode()
        assert words(html) == [said]
    assert ('hx-trigger="every 2s"' in html) == (name not in ("failed", "stopped", "ready"))
    assert ("Retry Tape" in html) == (name in ("failed", "stopped"))
    assert ("Cancel Tape" in html) == (name not in ("failed", "stopped", "ready"))
    assert ('#square"' in html) == ("Cancel Tape" in html)
    assert ('#x"' in html) == ("Cancel Tape" not in html)
    assert f'<a id="name-{upload.pk}" href="/transcripts/{record.pk}/"' in html, "its recording can be played"
    assert ("Open Tape" in html) == (name in ("speakers", "ready"))
    part = as_alice.get(f"/transcripts/{record.pk}/state/").content.decode()
    card = as_alice.get(f"/transcripts/{record.pk}/state/?as=card").content.decode()
    assert said in card
    for polled in (html, part, card):
        making.assert_focus_stays(polled)


def test_a_file_that_nobody_has_read_yet_has_no_length(as_alice: Client, alice: User) -> None:
    upload = an_upload(alice, offset=1000)
    record = a_record(alice, upload, "finishing", Job.Kind.PREPARE)
    at = f"/transcripts/{record.pk}/"
    for known, length in ((0, ""), (1_200_000, "20:00")):
        Record.objects.update(duration_ms=known)
        for address in (at, f"{at}state/"):
            assert re.search(f'id="length"[^>]*>{length}</span>', as_alice.get(address).content.decode())
        card = as_alice.get(f"{at}state/?as=card").content.decode()
        assert f'<div class="side"><span class="num">{length}</span>' in card


def test_a_file_that_stopped_coming_says_how_it_goes_on(as_alice: Client, alice: User) -> None:
    upload = an_upload(alice, offset=480, fingerprint="a.wav|1000|5")
    html = page(as_alice)
    assert words(html) == ["48 % uploaded"]
    assert "Drop the same file again, and it continues where it stopped." in html
    assert f'data-url="/uploads/{upload.pk}/"' in html
    assert 'data-fingerprint="a.wav|1000|5"' in html
    Upload.objects.update(offset=0)
    html = page(as_alice)
    assert words(html) == ["Not begun"]
    assert "Drop the same file again: nothing of it is here yet." in html
    assert "<progress" not in html.split("<template")[0]


def test_what_is_done_is_cleared_at_once_and_nothing_else(as_alice: Client, alice: User) -> None:
    done = an_upload(alice, "done.wav")
    record = a_record(alice, done, "ready", Job.Kind.TRANSCRIBE, status="done")
    going, refused = an_upload(alice, "going.wav"), an_upload(alice, "refused.wav", status="refused", reason="No.")
    an_upload(making.person("bob"), "bobs.zip", status="brought_in")
    html = as_alice.post("/upload/clearing/", headers={"HX-Request": "true"}).content.decode()
    assert re.findall(r'<li id="u-(.*?)" hx-swap-oob="delete">', html) == [str(done.pk)]
    assert set(Upload.objects.listed().visible_to(alice)) == {going, refused}
    assert Upload.objects.listed().count() == 3
    assert Record.objects.filter(pk=record.pk).exists()
    assert as_alice.post("/upload/clearing/").status_code == 302


def test_what_is_refused_stays_until_it_is_dismissed(as_alice: Client, alice: User) -> None:
    upload = an_upload(alice, status="refused", reason="This is no recording.")
    assert "This is no recording." in page(as_alice)
    assert words(page(as_alice)) == ["Not a recording"]
    assert "<span>1 kB</span>" in page(as_alice)
    assert as_alice.post(f"/upload/{upload.pk}/dismissal/").status_code == 302
    assert words(page(as_alice)) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.wav", "Not a recording"), ("a.SRT", "Not a transcript"), ("a.txt", "Not a transcript"),
     ("a.zip", "Not brought in")],
)  # fmt: skip
def test_what_is_refused_is_called_what_its_name_says(as_alice: Client, alice: User, name: str, said: str) -> None:
    an_upload(alice, name, status="refused", reason="No.")
    assert words(page(as_alice)) == [said]


def test_what_is_here_already_is_offered_and_transcribed_again(as_alice: Client, alice: User) -> None:
    record = making.dictation(alice, "Here before.")
    Recording.objects.create(record=record, path="x.flac", samples=5, size=5, pcm_sha256="0" * 64)
    upload = an_upload(alice, status="duplicate", duplicate_of=record)
    html = page(as_alice)
    assert words(html) == ["Already here"]
    since = wording.moment(record.started_at).replace(" ", "\u00a0")
    assert f"in your library since {since}<" in html, "no line ends within the day"
    assert f'href="/transcripts/{record.pk}/"' in html
    answer = as_alice.post(f"/upload/{upload.pk}/again/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == f"/transcripts/{record.pk}/"
    assert Job.objects.get().kind == Job.Kind.TRANSCRIBE
    assert words(page(as_alice)) == []


def test_what_has_a_price_is_not_transcribed_anyway_without_saying_it(
    as_alice: Client, alice: User, settings: Any
) -> None:
    record = making.dictation(alice, "Here before.")
    Record.objects.filter(pk=record.pk).update(duration_ms=1_200_000)
    an_upload(alice, status="duplicate", duplicate_of=record)
    assert ">Transcribe anyway</button>" in page(as_alice)
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    assert ">Transcribe anyway, about $1.20</button>" in page(as_alice)


def test_the_price_of_the_sample_is_said_and_follows_who_listens(as_alice: Client, settings: Any) -> None:
    def price(html: str) -> str:
        return re.findall(r'<span class="num" id="sample-price"[^>]*>(.*?)</span>', html)[0]

    assert price(page(as_alice)) == ""
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    assert price(page(as_alice)) == ", about $0.04"
    assert ">Transcribe it, about $0.04</button>" in as_alice.get("/transcripts/").content.decode()
    chosen = as_alice.post("/upload/options/", {"provider": "assemblyai"}, headers={"HX-Request": "true"})
    assert price(chosen.content.decode()) == ", less than $0.01"


def test_what_is_stopped_here_is_stopped_there(as_alice: Client, alice: User) -> None:
    upload = an_upload(alice)
    record = a_record(alice, upload, "finishing", Job.Kind.TRANSCRIBE)
    html = as_alice.post(f"/upload/{upload.pk}/stop/", headers={"HX-Request": "true"}).content.decode()
    assert words(html) == ["Stopped"]
    html = as_alice.post(f"/upload/{upload.pk}/retry/", headers={"HX-Request": "true"}).content.decode()
    assert words(html) == ["Queued"]
    record.refresh_from_db()
    assert record.status == Record.Status.FINISHING


@pytest.mark.parametrize("what", ["stop", "retry", "again"])
def test_what_there_is_nothing_to_do_with_is_not_found(as_alice: Client, alice: User, what: str) -> None:
    assert as_alice.post(f"/upload/{an_upload(alice).pk}/{what}/").status_code == 404


def test_about_how_long_it_takes_is_told_when_it_is_known(alice: User) -> None:
    upload = an_upload(alice)
    record = a_record(alice, upload, "finishing", Job.Kind.TRANSCRIBE, status="running", asset_id="re_1")
    now = timezone.now()
    for percent, ago, left in ((3, 60, ""), (50, 360, "about 6 min left"), (90, 90, "less than a minute left")):
        begun = now - timedelta(seconds=ago)
        Job.objects.update(progress=percent, begun_at=begun)
        assert wording.state_of(record, record.jobs.all(), edited=False, now=now).left == left


def test_choices_are_remembered_and_said_in_a_sentence(as_alice: Client, alice: User, settings: Any) -> None:
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    form = {"language": "pt", "speakers": "2", "provider": "assemblyai", "model": "nano", "features_of": "assemblyai",
            "auto_chapters": "on", "word_boost": "Osei\nMill Lane", "custom_spelling": "acra = Accra"}  # fmt: skip
    html = as_alice.post("/upload/options/", form, headers={"HX-Request": "true"}).content.decode()
    assert "Portuguese, tell speakers apart, AssemblyAI at $0.15 an hour" in html
    kept = Options.read(preferences_of(alice).file_options)
    assert kept.more == {"auto_chapters": True, "word_boost": ["Osei", "Mill Lane"], "punctuate": False,
                         "format_text": False, "custom_spelling": [{"from": ["acra"], "to": "Accra"}]}  # fmt: skip
    assert "Osei\nMill Lane</textarea>" in page(as_alice)
    assert "acra = Accra</textarea>" in page(as_alice)
    as_alice.post("/uploads/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
    assert Upload.objects.get().options == kept.kept()
    assert kept.parameters("re_1").items() >= {"language_code": "pt", "speakers_expected": 2}.items()


def test_the_built_in_gateway_costs_nothing_and_says_so(as_alice: Client, settings: Any) -> None:
    assert "on this machine, no cost" in page(as_alice)
    assert "AssemblyAI, hosted" not in page(as_alice)
    settings.ASSEMBLYAI_API_KEY = "k"
    assert "AssemblyAI, hosted" in page(as_alice)


def test_a_choice_the_gateway_does_not_offer_is_left_out(as_alice: Client, alice: User) -> None:
    as_alice.post("/upload/options/", {"provider": "elevenlabs"})
    assert "on this machine, no cost" in page(as_alice)


@pytest.mark.parametrize("hosted", [False, True])
def test_what_who_listens_cannot_be_told_is_not_offered(
    as_alice: Client, alice: User, settings: Any, hosted: bool
) -> None:
    """The contract of the hosted gateway's Whisper has no language, and that of its speakers no number."""
    if hosted:
        settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    form = {"language": "pt", "speakers": "3", "provider": "whisper-1"}
    html = as_alice.post("/upload/options/", form, headers={"HX-Request": "true"}).content.decode()
    assert ('<option value="3" selected>' in html, '<option value="pt" selected>' in html) == (not hosted, not hosted)
    assert ('<option value="2">' in html, '<option value="fr">' in html) == (not hosted, not hosted)
    assert ('<option value="0" selected>' in html, "cannot be told one" in html) == (hosted, hosted)
    assert ("Portuguese, tell speakers apart" in html) != hosted
    asked = options_of(alice)
    assert (asked.language, asked.speakers) == (("", 0) if hosted else ("pt", 3))
    html = as_alice.post("/upload/options/", form | {"speakers": "-1"}).content.decode()
    assert options_of(alice).speakers == -1


@pytest.mark.parametrize(
    "given",
    [None, [], "x", {"provider": ["x"]}, {"language": "xx-nothing"}, {"speakers": "99"}, {"more": "x"}, {"model": {}},
     {"provider": "assemblyai", "more": {"speech_threshold": "much", "summary_type": "x", "custom_spelling": ["x"]}}],
)  # fmt: skip
def test_odd_choices_are_left_at_their_defaults(given: object) -> None:
    read = Options.read(given)
    assert (read.language, read.model, read.speakers, read.more) == ("", "", -1, {})
    assert Options.read(read.kept()) == read


DOCUMENTED: dict[str, str] = {
    ELEVENLABS: "language_code model_id diarize timestamps_granularity tag_audio_events num_speakers file_format"
    " source_lang target_lang",
    ASSEMBLYAI: "punctuate format_text speaker_labels speakers_expected language_detection"
    " language_confidence_threshold speech_model speech_threshold disfluencies sentiment_analysis entity_detection"
    " auto_highlights content_safety iab_categories auto_chapters summarization summary_model summary_type redact_pii"
    " redact_pii_policies redact_pii_sub redact_pii_audio redact_pii_audio_quality filter_profanity word_boost"
    " boost_param custom_spelling webhook_url multichannel audio_start_from audio_end_at custom_topics topics",
}
"""What the contract lists (PROTOCOLS 2.3), word for word, beside the sources."""
NEVER_ASKED = {"file_format", "multichannel", "redact_pii_audio", "redact_pii_audio_quality", "webhook_url"}
"""What makes no sense from here; docs/using.md says why."""
WRITTEN = {
    "audio_start_from": "0:01.5", "audio_end_at": "1:30", "speech_threshold": 0.5, "language_confidence_threshold": 0.7,
    "target_lang": "en", "timestamps_granularity": "segment", "summary_model": "conversational", "summary_type": "gist",
    "redact_pii_sub": "entity_name", "boost_param": "high", "redact_pii_policies": "person_name\nlocation",
    "topics": "ferries", "word_boost": "Osei", "custom_spelling": "acra = Accra",
}  # fmt: skip
"""What a person writes or picks, for what is more than a box to tick."""


@pytest.mark.parametrize("provider", [ELEVENLABS, ASSEMBLYAI])
def test_all_that_is_documented_of_a_provider_can_be_asked_for_on_the_page(
    as_alice: Client, alice: User, settings: Any, provider: str
) -> None:
    """Each is in what is sent once somebody picks it, and no less than what is documented is."""
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    common = {
        "provider": provider,
        "features_of": provider,
        "speakers": "2",
        "model": dict(MODELS[provider]).popitem()[0],
    }

    def sent(**picked: object) -> dict[str, Any]:
        as_alice.post("/upload/options/", common | picked)
        return options_of(alice).parameters("re_1")

    as_alice.post("/upload/options/", {"provider": provider})
    boxes = re.findall(r'<input class="check" type="checkbox" id="o-\w+" name="(\w+)"', page(as_alice))
    ticked = sent(language="pt", **dict.fromkeys(boxes, "on"), **WRITTEN)
    unticked = sent(**WRITTEN)
    found = {name for name in {*ticked, *unticked} if ticked.get(name) != unticked.get(name) or name in WRITTEN}
    always = {"diarize", "speaker_labels", "num_speakers", "speakers_expected", "model_id", "speech_model"}
    documented = set(DOCUMENTED[provider].split())
    assert documented - found - (always & ticked.keys()) == documented & NEVER_ASKED
    told = (ROOT / "docs/using.md").read_text()
    assert all(f"`{name}`" in told for name in NEVER_ASKED)


def test_every_feature_can_be_asked_for_and_kept() -> None:
    samples: dict[str, Any] = {"list": ["a"], "spelling": [{"from": ["a"], "to": "b"}], "number": 0.5, "text": "en",
                               "names": ["person_name"], "time": 5000}  # fmt: skip
    for provider in (WHISPER, ELEVENLABS, ASSEMBLYAI):
        more = {}
        for feature in FEATURES[provider]:
            picked = feature.choices[-1][0] if feature.choices else None
            more[feature.name] = not feature.on if feature.kind == "flag" else samples.get(feature.kind, picked)
        read = Options.read({"provider": provider, "more": more})
        assert read.more == more
        assert Options.read(read.kept()) == read
        if provider != WHISPER:
            assert read.parameters("re_1").items() >= more.items()


SAID_IN_PANELS = {
    "auto_chapters": "chapter", "summarization": "summary", "auto_highlights": "highlight", "iab_categories": "topic",
    "entity_detection": "entity", "sentiment_analysis": "sentiment", "content_safety": "safety",
}  # fmt: skip


def test_what_is_asked_for_has_the_name_of_what_comes_of_it() -> None:
    asked = {feature.name: feature.label for feature in FEATURES[ASSEMBLYAI]}
    assert {name: asked[name] for name in SAID_IN_PANELS} == {
        name: panels.NAMES[kind] for name, kind in SAID_IN_PANELS.items()
    }


@pytest.mark.parametrize(
    ("written", "kept", "shown"),
    [("1:30", 90_000, "1:30"), ("90", 90_000, "1:30"), ("1:02:15", 3_735_000, "1:02:15"), ("0:01.5", 1500, "0:01.5"),
     ("1:2:3:4", None, ""), ("-1", None, ""), ("nan", None, ""), ("soon", None, ""), ("9" * 8, None, "")],
)  # fmt: skip
def test_times_are_written_as_clocks(as_alice: Client, alice: User, settings: Any, written: str, kept: int | None,
                                     shown: str) -> None:  # fmt: skip
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    form = {"provider": ASSEMBLYAI, "features_of": ASSEMBLYAI, "audio_start_from": written}
    html = as_alice.post("/upload/options/", form, headers={"HX-Request": "true"}).content.decode()
    assert options_of(alice).more.get("audio_start_from") == kept
    assert f'name="audio_start_from" value="{shown}"' in html


def test_what_belongs_to_a_box_is_shown_once_it_is_ticked_and_kept_when_it_is_not(
    as_alice: Client, alice: User, settings: Any
) -> None:
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    hidden = '<div hidden><label for="o-redact_pii_policies">'
    form = {"provider": ASSEMBLYAI, "features_of": ASSEMBLYAI, "redact_pii_policies": "Person name\nlocation"}
    for ticked in ({}, {"redact_pii": "on"}):
        html = as_alice.post("/upload/options/", form | ticked, headers={"HX-Request": "true"}).content.decode()
        assert (hidden in html) == (not ticked)
        assert "person name\nlocation</textarea>" in html, "no underscores"
        assert options_of(alice).more["redact_pii_policies"] == ["person_name", "location"]


def test_prices_follow_the_provider() -> None:
    assert Options(provider=ELEVENLABS).rate() == services_rate("0.39")
    assert Options(provider=WHISPER, speakers=0).rate() == services_rate("7.20")


def test_what_has_a_price_says_so_before_and_the_sum_runs_along(as_alice: Client, alice: User, settings: Any) -> None:
    def sums(html: str) -> str:
        return re.findall(r'<p class="sub num sum" id="sum"[^>]*>(.*?)</p>', html)[0]

    asked = Options().kept()
    uploads_ = [an_upload(alice, name) for name in ("a.wav", "b.wav")]
    for upload in uploads_:  # 20 minutes each, at $3.60 an hour
        a_record(alice, upload, "finishing", Job.Kind.TRANSCRIBE, status="running", options=asked)
    assert "$" not in page(as_alice), "the built-in gateway costs nothing"
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    html = page(as_alice)
    assert html.count("<span>about $1.20</span>") == 2
    assert sums(html) == "Altogether about $2.40, by the published prices."
    first = Job.objects.order_by("id").first()
    assert first is not None
    Job.objects.filter(pk=first.pk).update(status="done", gateway=settings.GATEWAY_URL)
    row = as_alice.get(f"/upload/{uploads_[1].pk}/").content.decode()
    assert 'hx-swap-oob="true"' in row, "the sum of a page that is open stands still"
    assert sums(row) == "Altogether about $2.40, by the published prices. Of it so far about $1.20."
    Job.objects.exclude(pk=first.pk).update(status="cancelled")
    html = page(as_alice)
    assert html.count("<span>about $1.20</span>") == 1, "what was stopped is in no sum, and has no price"
    assert sums(html) == "Altogether about $1.20, by the published prices.", "all that is left is done"
    Job.objects.filter(pk=first.pk).update(gateway="")
    assert sums(page(as_alice)) == "", "what was done on this machine cost nothing"


def test_what_waits_behind_others_is_asked_after_seldom_and_without_the_sum(as_alice: Client, alice: User) -> None:
    def asked(upload: Upload) -> str:
        return as_alice.get(f"/upload/{upload.pk}/").content.decode()

    made = [an_upload(alice, f"{number}.wav") for number in range(3)]
    status = {"status": "running", "asset_id": "re_1", "begun_at": timezone.now()}
    a_record(alice, made[0], "finishing", Job.Kind.TRANSCRIBE, **status)
    for upload in made[1:]:
        a_record(alice, upload, "finishing", Job.Kind.TRANSCRIBE)
    assert 'hx-trigger="every 2s"' in asked(made[2]), "it has only just come: it may start at any moment"
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=11))
    waiting = asked(made[2])
    assert words(waiting) == ["Queued, 2 ahead"]
    assert 'hx-trigger="every 10s"' in waiting
    assert 'id="sum"' not in waiting
    running = asked(made[0])
    assert 'hx-trigger="every 2s"' in running
    assert 'id="sum"' in running


def test_what_is_not_read_yet_has_no_price(as_alice: Client, alice: User, settings: Any) -> None:
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://speech.example.org", "k"
    record = a_record(alice, an_upload(alice), "finishing", Job.Kind.PREPARE)
    Record.objects.filter(pk=record.pk).update(duration_ms=0)
    html = page(as_alice)
    assert "<span>about $" not in html
    assert 'data-rate="3.60"' in html, "the page needs it, to tell the price of what is dropped"


def services_rate(dollars: str) -> Any:
    from decimal import Decimal

    return Decimal(dollars)


def test_a_row_says_what_was_found(as_alice: Client, alice: User) -> None:
    upload = an_upload(alice)
    record = a_record(alice, upload, "ready", Job.Kind.TRANSCRIBE, status="done", begun_at=timezone.now(),
                      ended_at=timezone.now())  # fmt: skip
    lines = [making.line("0", 0, "One.", speaker="A"), making.line("1", 5000, "Two.", speaker="B")]
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.TRANSCRIBED, model="whisper-1", language="en", segments=lines
    )
    services.show_version(record_id=record.pk, number=version.number)
    html = page(as_alice)
    for fact in ("20:00", "2 speakers", "English", "took 1 s on this machine"):
        assert f"<span>{fact}</span>" in html
    Job.objects.update(gateway="https://speech.example.org")
    assert "<span>took 1 s at the gateway</span>" in page(as_alice)


def test_transcripts_of_one_name_are_told_apart(as_alice: Client, alice: User) -> None:
    for name in ("captions.srt", "captions.vtt"):
        a_record(alice, an_upload(alice, name), "ready", Job.Kind.PREPARE, status="done")
    html = page(as_alice)
    assert "<span>SRT transcript</span>" in html
    assert "<span>VTT transcript</span>" in html


def test_a_silent_or_odd_file_name_is_shown_as_text(as_alice: Client, alice: User) -> None:
    an_upload(alice, name="<img src=x onerror=alert(1)>.wav")
    assert "&lt;img src=x onerror=alert(1)&gt;.wav" in page(as_alice)
    record = a_record(alice, an_upload(alice), "failed", Job.Kind.PREPARE, status="failed")
    Record.objects.update(title="   ")
    assert f'href="/transcripts/{record.pk}/" dir="auto">a.wav</a>' in page(as_alice), "a link has a name"


def test_whole_files_are_made_of_real_sound(tmp_path: Path) -> None:
    """The files that other tests of uploads send can be decoded at all."""
    assert media_files.load(media_files.make(tmp_path / "a.mp3", media_files.tone(1))).any()
