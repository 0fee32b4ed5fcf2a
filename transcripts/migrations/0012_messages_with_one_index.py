import django.db.models.deletion
from django.db import migrations, models

_INDEX = 'transcripts_message_record_id_22c70a9e'  # as 0001 made it, on every database


class Migration(migrations.Migration):
    """The index that the order of messages begins with goes: keeping a message costs two thirds."""

    dependencies = [
        ('transcripts', '0011_sums_from_an_index'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='message',
                    name='record',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='transcripts.record'),
                ),
            ],
            # AlterField would copy the whole table on SQLite.
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX IF EXISTS "{_INDEX}"',
                    f'CREATE INDEX "{_INDEX}" ON "transcripts_message" ("record_id")',
                ),
            ],
        ),
    ]
