"""What tests share: players of transcripts, simulated networks, planted bugs. Imports the package, never a test."""
