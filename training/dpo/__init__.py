"""dpo and its kin: ``stage`` is what trains and is saved, ``learning`` how they learn and are measured."""
