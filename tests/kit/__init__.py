"""What tests share: real agents, waiting for conditions, builders; simulated networks and the player of transcripts."""
