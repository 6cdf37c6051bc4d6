package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// StatusNotificationPolicy is the data of the status_notification_policy component,
// and what an update of it holds (room-policy-04, Status Notifications component):
//
//	struct {
//	    Optionality delivery_notifications;
//	    Optionality read_receipts;
//	} StatusNotificationPolicy;
type StatusNotificationPolicy struct {
	DeliveryNotifications Optionality `json:"delivery_notifications"`
	ReadReceipts          Optionality `json:"read_receipts"`
}

func (p *StatusNotificationPolicy) UnmarshalTLS(r *wire.Reader) {
	p.DeliveryNotifications = readOptionality(r)
	p.ReadReceipts = readOptionality(r)
}

func (p *StatusNotificationPolicy) MarshalTLS(w *wire.Writer) {
	writeOptionality(w, p.DeliveryNotifications)
	writeOptionality(w, p.ReadReceipts)
}
