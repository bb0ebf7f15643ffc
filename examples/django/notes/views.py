"""One page with a form, a download and a stream: what a real site asks of its server."""

import os
import time

from django.http import FileResponse, Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from .forms import NoteForm
from .models import Note


@require_http_methods(["GET", "HEAD", "POST"])
def index(request):
    """Lists the newest notes; a POST (CSRF-checked) writes one, with or without a file."""
    if request.method == "POST":
        form = NoteForm(request.POST, request.FILES)
        if form.is_valid():
            form.save()
            return redirect("index")
    else:
        form = NoteForm()
    facts = {"pid": os.getpid(), "secure": request.is_secure()}
    return render(
        request, "notes/index.html", {"form": form, "notes": Note.objects.all()[:50], "facts": facts}
    )


@require_safe
def attachment(request, pk):
    """Sends a note's file back. FileResponse goes out through wsgi.file_wrapper."""
    note = get_object_or_404(Note, pk=pk)
    if not note.attachment:
        raise Http404("this note has no attachment")
    return FileResponse(
        note.attachment.open("rb"),
        as_attachment=True,
        filename=os.path.basename(note.attachment.name),
    )


@require_safe
def stream(request):
    """Five lines, one every 200 ms, each on its way as soon as it is yielded."""

    def lines():
        for number in range(1, 6):
            yield f"line {number}\n"
            time.sleep(0.2)

    return StreamingHttpResponse(lines(), content_type="text/plain; charset=utf-8")
