import Formatting
import FoundationEssentials
import HTTPTypes

/// An element of an array in a request's body, which was checked as a whole.
public struct JSONElement {
    private let text: [UInt8]
    private let range: Range<Int>
    private let members: JSONMembers?

    /// Decodes the element as `Request.json(_:)` decodes a body.
    ///
    /// - Throws: `HTTPError` 422; its fields are those in the element.
    public func decoded<Value: JSONObjectDecodable>(as type: Value.Type) throws -> Value {
        if let members, let value = Value(members) { return value }
        let isArray = text[range.lowerBound] == UInt8(ascii: "[")
        // Nested arrays and objects are emptied, as in a body.
        let outline = members?.outline ?? (isArray ? Array("[]".utf8) : Array(text[range]))
        do {
            return try JSONDecoder.readingDates().decode(type, from: Data(outline))
        } catch let error as DecodingError {
            throw HTTPError(error)
        }
    }

    fileprivate init(text: [UInt8], range: Range<Int>, members: JSONMembers?) {
        self.text = text
        self.range = range
        self.members = members
    }
}

extension Request {
    /// The elements of the array that is the one member of the body.
    ///
    /// - Parameters:
    ///   - name: the member's.
    ///   - counts: the allowed numbers of elements.
    /// - Throws: `HTTPError` 400 when the body is not JSON, 422 when it is no such object.
    public func elements(of name: StaticString, _ counts: ClosedRange<Int>) throws(HTTPError) -> [JSONElement] {
        guard let object = try members() else {
            throw HTTPError(.unprocessableContent, "The body must be an object.")
        }
        let path = "\(name)"
        var array: Range<Int>?
        for member in object.members {
            let read = JSONNames.read(member.name, in: body)
            if read.elementsEqual(path.utf8) {
                array = member.value
            } else {
                let unknown = String(decoding: read, as: UTF8.self).unicodeScalars.prefix(Self.shownNameLimit)
                throw HTTPError(brokenRule: String(String.UnicodeScalarView(unknown)), "is not known")
            }
        }
        guard let array else { throw HTTPError(brokenRule: path, "is required") }
        guard body[array.lowerBound] == UInt8(ascii: "[") else { throw HTTPError(brokenRule: path, "must be an array") }
        let elements: [(range: Range<Int>, members: JSONMembers?)]
        do throws(JSONSyntax.Fault) {
            elements = try JSONSyntax.elements(of: array, in: body, limit: counts.upperBound + 1)
        } catch {
            fatalError("an array in checked JSON is not JSON: \(error)")
        }
        guard counts.contains(elements.count) else {
            throw HTTPError(
                brokenRule: path, "must have \(counts.lowerBound) to \(counts.upperBound) elements")
        }
        return elements.map { JSONElement(text: body, range: $0.range, members: $0.members) }
    }

    /// Characters of an unknown member's name that the answer repeats.
    private static let shownNameLimit = 64
}

extension HTTPError {
    fileprivate init(brokenRule name: String, _ message: String) {
        self.init(
            .unprocessableContent, "The body breaks a rule.", errors: [FieldError(path: [name], message: message)])
    }
}
