/// A JSON Schema (draft 2020-12) as a value, with an example of what it describes.
public struct Schema: Sendable {
    /// One member of an object.
    public struct Property: Sendable {
        let name: String
        var schema: Schema
        let isRequired: Bool
    }

    /// The name under which a document lists the schema; nil: it is written where it is used.
    let name: String?
    /// In the order in which they are written.
    var keywords: [(name: String, value: JSONValue)]
    /// Nil: none is shown.
    let example: JSONValue?
    /// The named schemas that the keywords refer to.
    let parts: [Schema]

    init(
        name: String? = nil, _ keywords: [(name: String, value: JSONValue)], example: JSONValue?, parts: [Schema] = []
    ) {
        self.name = name
        self.keywords = keywords
        self.example = example
        self.parts = parts
    }

    /// A schema in JSON Schema's own words: `Schema(["type": "string", "format": "date"], example: "2024-11-01")`.
    public init(_ keywords: KeyValuePairs<String, JSONValue>, example: JSONValue? = nil) {
        self.init(keywords.map { (name: $0.key, value: $0.value) }, example: example)
    }

    /// A text.
    ///
    /// - Parameter pattern: as in ECMA-262.
    public static func string(
        count: ClosedRange<Int>? = nil, pattern: String? = nil, format: String? = nil, example: String? = nil
    ) -> Schema {
        var keywords: [(name: String, value: JSONValue)] = [("type", "string")]
        if let count, count.lowerBound > 0 { keywords.append(("minLength", .integer(Int64(count.lowerBound)))) }
        if let count { keywords.append(("maxLength", .integer(Int64(count.upperBound)))) }
        if let pattern { keywords.append(("pattern", .string(pattern))) }
        if let format { keywords.append(("format", .string(format))) }
        return Schema(keywords, example: example.map { .string($0) })
    }

    /// A whole number; without a range, any of 64 bits.
    public static func integer(_ range: ClosedRange<Int64>? = nil, example: Int64 = 1) -> Schema {
        var keywords: [(name: String, value: JSONValue)] = [("type", "integer")]
        if let range {
            keywords += [("minimum", .integer(range.lowerBound)), ("maximum", .integer(range.upperBound))]
        } else {
            keywords.append(("format", "int64"))
        }
        return Schema(keywords, example: .integer(example))
    }

    /// An object. One that an answer carries may get further members later; see `BodyInput` for those of requests.
    ///
    /// - Parameter name: of the schema in a document: letters and digits.
    public static func object(_ name: String, _ properties: [Property]) -> Schema {
        object(name, properties, isClosed: false)
    }

    /// - Parameter isClosed: whether no other members are allowed.
    static func object(_ name: String?, _ properties: [Property], isClosed: Bool) -> Schema {
        var keywords: [(name: String, value: JSONValue)] = [("type", "object")]
        keywords.append(("properties", .object(properties.map { ($0.name, $0.schema.reference) })))
        let required = properties.filter(\.isRequired)
        if !required.isEmpty { keywords.append(("required", .array(required.map { .string($0.name) }))) }
        if isClosed { keywords.append(("additionalProperties", false)) }
        let shown = properties.compactMap { property in property.schema.example.map { (property.name, $0) } }
        return Schema(name: name, keywords, example: .object(shown), parts: properties.flatMap(\.schema.named))
    }

    /// An array.
    public static func array(of element: Schema, count: ClosedRange<Int>? = nil) -> Schema {
        var keywords: [(name: String, value: JSONValue)] = [("type", "array"), ("items", element.reference)]
        if let count {
            keywords += [
                ("minItems", .integer(Int64(count.lowerBound))), ("maxItems", .integer(Int64(count.upperBound))),
            ]
        }
        return Schema(keywords, example: element.example.map { [$0] }, parts: element.named)
    }

    /// The same, or null.
    public var orNull: Schema {
        Schema([("anyOf", [reference, ["type": "null"]])], example: example, parts: named)
    }

    /// Whether it is that of an object with this member.
    func hasMember(_ name: String) -> Bool {
        guard case .object(let members)? = keywords.first(where: { $0.name == "properties" })?.value else {
            return false
        }
        return members.contains { $0.name == name }
    }

    /// The schema where it is used: a reference if it has a name.
    var reference: JSONValue {
        guard let name else { return .object(keywords) }
        return ["$ref": .string("#/components/schemas/\(name)")]
    }

    /// This schema if it has a name, else the named ones in it.
    var named: [Schema] { name == nil ? parts : [self] }

    /// The same with another keyword, which a reference may have beside it.
    func with(_ keyword: String, _ value: JSONValue) -> Schema {
        guard name != nil else { return Schema(keywords + [(keyword, value)], example: example, parts: parts) }
        return Schema([("$ref", referenceText), (keyword, value)], example: example, parts: [self])
    }

    private var referenceText: JSONValue {
        guard case .object(let members) = reference, let first = members.first else { return .null }
        return first.value
    }
}

extension Schema.Property {
    private init(_ name: String, _ schema: Schema, isRequired: Bool, _ description: String?) {
        let schema = description.map { schema.with("description", .string($0)) } ?? schema
        self.init(name: name, schema: schema, isRequired: isRequired)
    }

    /// A member that is always there.
    public static func required(_ name: String, _ rule: some Rule, _ description: String? = nil) -> Self {
        Self(name, rule.schema, isRequired: true, description)
    }

    /// A member that may be absent.
    public static func optional(_ name: String, _ rule: some Rule, _ description: String? = nil) -> Self {
        Self(name, rule.schema, isRequired: false, description)
    }

    /// A member that is always there in answers; the service chooses its value.
    public static func readOnly(_ name: String, _ rule: some Rule, _ description: String? = nil) -> Self {
        Self(name, rule.schema.with("readOnly", true), isRequired: true, description)
    }

    /// A member that is always there.
    public static func required(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: true)
    }

    /// A member that may be absent.
    public static func optional(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: false)
    }

    /// The elements of an array that is always there, each of this type.
    public static func list<Element: Representation>(_ name: String, of type: Element.Type) -> Self {
        Self(name: name, schema: .array(of: Element.schema), isRequired: true)
    }
}
