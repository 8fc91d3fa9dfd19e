"""Training of quality networks, recognisers, U-Nets and the detector."""
