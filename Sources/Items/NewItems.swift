import HTTPTypes
import Vial

/// The body of a request that creates several items: `{"items":[{"name":"…"},…]}`.
struct NewItems {
    /// Items of one request.
    static let countLimit = 1_000
    /// Broken rules that an answer lists.
    static let faultLimit = 100

    let names: [String]
    let descriptions: [String?]

    var count: Int { names.count }

    /// - Throws: `HTTPError` 400 when the body is not JSON, 422 with the broken rules of all items.
    init(_ request: Request) throws {
        var names: [String] = []
        var descriptions: [String?] = []
        var faults: [HTTPError.FieldError] = []
        for (place, element) in try request.elements(of: "items", 1...Self.countLimit).enumerated() {
            do {
                let item = try element.decoded(as: NewItem.self).validated()
                names.append(item.name)
                descriptions.append(item.description)
            } catch let error as HTTPError {
                faults += error.faults(ofItem: place)
                if faults.count > Self.faultLimit { break }
            }
        }
        guard faults.isEmpty else { throw HTTPError(brokenRules: faults, limit: Self.faultLimit) }
        (self.names, self.descriptions) = (names, descriptions)
    }
}

extension HTTPError {
    /// The broken rules of one item, where the whole body has them.
    fileprivate func faults(ofItem place: Int) -> [FieldError] {
        let path = ["items", "\(place)"]
        // Without a member the item itself is of a wrong type.
        if errors.isEmpty { return [FieldError(path: path, message: "must be an object of name and description")] }
        return errors.map { FieldError(path: path + [$0.field], message: $0.message) }
    }

    fileprivate init(brokenRules faults: [FieldError], limit: Int) {
        let detail =
            faults.count > limit
            ? "The items break more rules than the first \(limit), which are listed." : "The items break rules."
        self.init(.unprocessableContent, detail, errors: Array(faults.prefix(limit)))
    }
}
