from django.db import models


class Note(models.Model):
    """A line of text, with a file if its author attached one."""

    text = models.CharField(max_length=200)
    attachment = models.FileField(upload_to="notes/", blank=True)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written", "-pk"]

    def __str__(self):
        return self.text
