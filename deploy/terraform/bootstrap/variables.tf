variable "region" {
  description = "Region of the state and the images."
  type        = string
}

variable "github" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, of the repository whose workflows push images and deploy; null: none."
  type        = string
}

variable "branches" {
  description = "Branches whose runs may push an image."
  type        = list(string)
  default     = ["main", "develop"]
}
