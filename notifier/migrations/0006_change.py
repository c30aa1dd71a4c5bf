import django.db.models.functions.datetime
from django.db import migrations, models


def _drop_triggers(apps, schema_editor):
    # what they write to goes; they are made after each migrate, by a signal
    from notifier.matching.triggers import drop_triggers

    drop_triggers(schema_editor.connection.alias)


class Migration(migrations.Migration):

    dependencies = [
        ('notifier', '0005_unreadable'),
    ]

    operations = [
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('transaction', models.BigIntegerField(help_text="PostgreSQL's id of the transaction; 0 on SQLite, where writers are serial.")),
                ('owner', models.TextField(help_text="The user's primary key as text; null: everybody may have changed.", null=True)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['transaction'], name='change_transaction')],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, _drop_triggers),
    ]
