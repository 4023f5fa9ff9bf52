"""Training on what the agents made: DPO, RP-DPO and SFT with TRL, data checks, exports."""
