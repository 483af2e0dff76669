import Formatting
import Postgres
import Vial

/// The entity tag of an item: its `updated_at` in double quotes, as its JSON has it. Every change of an item changes it,
/// so an entry of a list has its tag too.
enum ItemTag {
    /// SQL of the time in a row's tag. `Item` writes a time that is unknown or beyond RFC 3339's years as this one too.
    static let sql = """
        least(greatest(coalesce(updated_at::timestamptz, 'epoch'), '0001-01-01 00:00:00+00'), \
        '9999-12-31 23:59:59.999999+00')
        """

    /// SQL of the next `updated_at` of a row: later than the present one, also when the clock was set back.
    static let next = "greatest(clock_timestamp(), updated_at + interval '1 microsecond')"

    /// - Parameter microseconds: `updated_at` since 1970-01-01T00:00:00Z.
    static func tag(microseconds: Int64) -> EntityTag {
        EntityTag(upTo: TimestampWriter.byteCount) { output in
            var timestamps = TimestampWriter()
            timestamps.write(microseconds: microseconds, to: &output)
        }
    }

    /// The time in a tag; nil for a text that no item has as its tag.
    static func time(in tag: EntityTag) -> Timestamp? {
        let text = String(decoding: tag.text, as: UTF8.self)
        // Other spellings of the same time are other tags.
        guard let time = Timestamp(text), time.description == text else { return nil }
        return time
    }
}

extension Preconditions {
    /// The times of which a row's must be one; nil when every row is acceptable.
    var requiredTimes: [Timestamp]? {
        guard case .tags(let tags)? = ifMatch else { return nil }
        return tags.filter { !$0.isWeak }.compactMap(ItemTag.time)
    }

    /// The times of which a row's must be none; nil without such a condition. `If-None-Match: *` is not expressed.
    var excludedTimes: [Timestamp]? {
        guard case .tags(let tags)? = ifNoneMatch else { return nil }
        return tags.compactMap(ItemTag.time)
    }
}
