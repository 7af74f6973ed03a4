"""The scheme ``awx``: AWX or Ansible Tower is asked, as it is."""
