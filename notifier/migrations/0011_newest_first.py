from django.db import migrations, models

from notifier.migrations._concurrently import AddIndex, RemoveIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifier", "0010_api_token"),
    ]

    operations = [
        RemoveIndex(model_name="delivery", name="delivery_dead"),
        AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state", "failed")),
                fields=["-finished_at"],
                name="delivery_failed",
            ),
        ),
        AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("open", True)),
                fields=["-id"],
                name="incident_open_newest",
            ),
        ),
    ]
