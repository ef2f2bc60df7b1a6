-- Somebody who is inactive gets nothing, whatever else is stored of them.
ALTER TABLE router.recipients ADD COLUMN inactive boolean NOT NULL DEFAULT false;

-- Until now a field of their data said so, with the channels that were muted before. The other fields stay as they are
-- written.
UPDATE router.recipients r SET
    inactive = true,
    muted_channels = ARRAY(
        SELECT DISTINCT e.channel::smallint FROM json_array_elements_text(r.data -> '_inactive') AS e (channel) ORDER BY 1
    ),
    data = (
        SELECT ('{' || coalesce(string_agg(to_json(e.key)::text || ':' || e.value::text, ',' ORDER BY e.place), '') || '}')::json
        FROM json_each(r.data) WITH ORDINALITY AS e (key, value, place)
        WHERE e.key <> '_inactive'
    )
WHERE r.data::text LIKE '%"\_inactive"%' AND json_typeof(r.data -> '_inactive') = 'array';
