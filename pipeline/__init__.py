"""medstance: where doctors stand, from their free-text answers to a patient's question."""
