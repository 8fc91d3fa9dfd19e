"""What can be measured of a face without a network: the rest of the quality vector."""
