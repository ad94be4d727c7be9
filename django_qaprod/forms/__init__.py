"""The form is always served, and what was typed is kept: ``serve_form``, rescued submissions, replay."""
