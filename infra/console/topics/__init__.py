"""Topics: what lies in them, newest first and decoded, looked for or as it comes."""
