import django.db.models.deletion
from django.db import migrations, models

_INDEX = 'transcripts_segment_version_id_9f74d466'  # as 0001 made it, on every database


class Migration(migrations.Migration):
    """What adds segments up by speaker reads an index alone; the one that every other index begins with goes."""

    dependencies = [
        ('transcripts', '0010_a_lighter_index'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='segment',
                    name='version',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='segments', to='transcripts.version'),
                ),
            ],
            # AlterField would copy the whole table on SQLite.
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX IF EXISTS "{_INDEX}"',
                    f'CREATE INDEX "{_INDEX}" ON "transcripts_segment" ("version_id")',
                ),
            ],
        ),
        migrations.AddIndex(
            model_name='segment',
            index=models.Index(fields=['version', 'speaker', 'removed', 'start_ms', 'end_ms'], name='transcripts_version_0f9d3c_idx'),
        ),
    ]
