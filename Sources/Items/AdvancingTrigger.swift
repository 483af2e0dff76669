/// The trigger that makes `updated_at` grow with each change of an item, whichever program makes it, so that an entity
/// tag never names two states.
///
/// `ItemStore` sets `updated_at` itself, for a table that has no trigger yet. Then the trigger changes it only if the
/// column cannot hold a later time: it is a date, or infinite.
enum AdvancingTrigger {
    /// The trigger's function, for any type of the column that is served.
    ///
    /// The columns are compared as they are served: not the whole row, which may have columns that cannot be compared or
    /// are computed later, and not by the column's own rules, for which two texts may be equal. They are compared here
    /// and not in the trigger's condition, because no column of a condition can be given another type.
    static let function = """
        CREATE OR REPLACE FUNCTION items_advance_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- Another program may set a later time itself.
            IF NEW.updated_at > OLD.updated_at AND NEW.updated_at < '9999-12-31'
                OR \(served(in: "OLD")) IS NOT DISTINCT FROM \(served(in: "NEW"))
            THEN
                RETURN NEW;
            END IF;
            NEW.updated_at := CASE
                -- JSON has no later time: the next one would be the same text.
                WHEN OLD.updated_at >= '9999-12-31' THEN clock_timestamp()
                ELSE greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond')
            END;
            -- A date: every change takes a day of its own.
            IF NEW.updated_at = OLD.updated_at THEN
                NEW.updated_at := OLD.updated_at + interval '1 day';
            END IF;
            RETURN NEW;
        END
        $$;
        """

    /// SQL that creates the trigger on a table with all columns. PostgreSQL runs the triggers of a table in the order of
    /// their names, and another one may set `updated_at`, so the name is a late one.
    static let creation = """
        DROP TRIGGER IF EXISTS zz_items_advance_updated_at ON items;
        CREATE TRIGGER zz_items_advance_updated_at BEFORE UPDATE ON items
        FOR EACH ROW EXECUTE FUNCTION items_advance_updated_at();
        """

    private static func served(in row: String) -> String {
        """
        (\(row).id, \(row).name::text COLLATE "C", \(row).description::text COLLATE "C", \(row).created_at, \
        \(row).updated_at)
        """
    }
}
