variable "name" {
  description = "The repository's name."
  type        = string
  default     = "items"
}

variable "keep" {
  description = "Number of images per environment kept for a rollback."
  type        = number
  default     = 30

  validation {
    condition     = var.keep >= 5
    error_message = "A rollback needs images: at least 5."
  }
}

variable "keep_live" {
  description = "Number of images per environment that were in service and are kept, whatever is pushed later."
  type        = number
  default     = 10

  validation {
    condition     = var.keep_live >= 2
    error_message = "At least 2: the image in service and the one before it."
  }
}

variable "environments" {
  description = "Tags begin with these: prod-0123abc-20241101120000."
  type        = list(string)
  default     = ["dev", "test", "prod"]

  validation {
    condition     = length(var.environments) <= 8
    error_message = "At most 8 environments: the rules' priorities have no room for more."
  }
}
