"""What can be chosen: who listens, and in which language. Shown by every page that offers it."""

from __future__ import annotations

PROVIDERS: tuple[tuple[str, str], ...] = (("assemblyai", "AssemblyAI"), ("elevenlabs", "ElevenLabs"))

# What Whisper hears well enough to be offered; English is answered by the quicker live engine.
LANGUAGES: tuple[tuple[str, str], ...] = (
    ("en", "English"), ("ar", "Arabic"), ("bg", "Bulgarian"), ("ca", "Catalan"), ("zh", "Chinese"),
    ("hr", "Croatian"), ("cs", "Czech"), ("da", "Danish"), ("nl", "Dutch"), ("et", "Estonian"),
    ("fi", "Finnish"), ("fr", "French"), ("de", "German"), ("el", "Greek"), ("he", "Hebrew"),
    ("hi", "Hindi"), ("hu", "Hungarian"), ("id", "Indonesian"), ("it", "Italian"), ("ja", "Japanese"),
    ("ko", "Korean"), ("lv", "Latvian"), ("lt", "Lithuanian"), ("ms", "Malay"), ("no", "Norwegian"),
    ("fa", "Persian"), ("pl", "Polish"), ("pt", "Portuguese"), ("ro", "Romanian"), ("ru", "Russian"),
    ("sr", "Serbian"), ("sk", "Slovak"), ("sl", "Slovenian"), ("es", "Spanish"), ("sv", "Swedish"),
    ("th", "Thai"), ("tr", "Turkish"), ("uk", "Ukrainian"), ("ur", "Urdu"), ("vi", "Vietnamese"),
)  # fmt: skip
DETECT = ("", "Detect the language")

PAUSES = ((0, "Never"), (5, "After 5 minutes"), (10, "After 10 minutes"), (30, "After 30 minutes"))
"""Minutes without speech, after which a dictation pauses by itself."""
