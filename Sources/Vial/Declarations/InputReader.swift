import Formatting
public import HTTP1

/// Reads named values of a request, or, without one, records which there are. An input's closure calls it once for each
/// value, always for the same names: it must not branch on what it has read.
public struct InputReader {
    @usableFromInline
    enum Source {
        case recording
        case members(JSONMembers)
        case parameters([QueryItems.Item])
    }

    @usableFromInline let source: Source
    /// What was recorded.
    private(set) var properties: [Schema.Property] = []
    @usableFromInline private(set) var faults: [InputFault.Item] = []
    /// How many of the members or parameters have a name that was read.
    @usableFromInline private(set) var matchedCount = 0

    #if DEBUG
        private let recordedNames: Set<String>?
    #endif

    /// - Parameter names: those that were recorded; nil while recording. Reading another one traps in a debug build.
    @usableFromInline
    init(_ source: Source, _ names: Set<String>?) {
        self.source = source
        #if DEBUG
            recordedNames = names
        #endif
    }

    /// The value of this name.
    ///
    /// - Returns: the rule's example while recording, and after a fault, which is noted.
    @inlinable
    public mutating func callAsFunction<R: Rule>(_ name: StaticString, _ rule: R) -> R.Value {
        if case .recording = source {
            record(name, rule.schema, isRequired: !rule.isOptional)
            return rule.example
        }
        do throws(InputFault) { return try rule.read(value(name)) } catch {
            note(error, of: name)
            return rule.example
        }
    }

    /// The value of this name, or `fallback` when it is absent.
    @inlinable
    public mutating func callAsFunction<R: Rule>(
        _ name: StaticString, _ rule: R, default fallback: R.Value
    ) -> R.Value {
        if case .recording = source {
            record(name, rule.schema, isRequired: false, default: rule.json(of: fallback))
            return fallback
        }
        do throws(InputFault) {
            guard let value = try value(name) else { return fallback }
            return try rule.read(value)
        } catch {
            note(error, of: name)
            return fallback
        }
    }

    /// Accepts and ignores a member that the service chooses, so that an answer can be sent back as it is.
    public mutating func ignore(_ name: StaticString, _ rule: some Rule) {
        if case .recording = source {
            record(name, rule.schema.with("readOnly", true), isRequired: false)
        } else {
            _ = try? value(name)
        }
    }

    @usableFromInline
    mutating func record(
        _ name: StaticString, _ schema: Schema, isRequired: Bool, default fallback: JSONValue? = nil
    ) {
        let name = name.description
        let schema = fallback.map { schema.with("default", $0) } ?? schema
        precondition(!properties.contains { $0.name == name }, "an input reads '\(name)' twice")
        properties.append(Schema.Property(name: name, schema: schema, isRequired: isRequired))
    }

    @usableFromInline
    mutating func note(_ fault: InputFault, of name: StaticString) {
        faults += fault.under(name.description)
    }

    @usableFromInline
    mutating func value(_ name: StaticString) throws(InputFault) -> InputValue? {
        #if DEBUG
            precondition(recordedNames?.contains(name.description) ?? true, "'\(name)' is read, but was not recorded")
        #endif
        let (value, count) = source.find(name)
        matchedCount += count
        if count > 1 { throw InputFault("is given twice") }
        return value
    }
}

extension InputReader.Source {
    /// The value of this name, and how often the name occurs. A method of the source, which borrows it: the reader would
    /// copy it for each name.
    fileprivate func find(_ name: StaticString) -> (value: InputValue?, count: Int) {
        switch self {
        case .recording: return (nil, 0)
        case .members(let members):
            let value = members.input(name)
            return (value, value == nil ? 0 : 1)
        case .parameters(let items):
            var found: (value: InputValue?, count: Int) = (nil, 0)
            for item in items where item.name.utf8.span.equals(name) {
                found = (.parameter(item.value), found.count + 1)
            }
            return found
        }
    }
}
