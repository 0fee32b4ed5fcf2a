"""AssemblyAI streaming v3 (`/v3/ws`), both halves; the client half reads the names of v2 too."""
